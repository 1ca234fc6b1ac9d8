"""What is noted about a leg while it is up: its visits to queues, its recordings, a voicemail message.

These events are no part of any row's 16 columns. One that is missing, because the switch is older or the module is not
loaded, costs what it would have said and nothing else.
"""

from typing import Final, Self

import msgspec

from tollbook.model.event import SwitchEvent

# The rules read the last visit, or the one that an agent ended last. A caller who leaves a queue and is sent back every
# minute makes 60 visits an hour: two hours after an agent served him, that visit is forgotten.
MOST_TIMES: Final = 128
# A leg is recorded once, or a few times where recording is stopped and started again. As long as paths can be, these
# are 32 kB.
MOST_PATHS: Final = 32


class Notes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was noted about one leg. Times are epoch µs of the switch's clock, sorted; paths are sorted, too.

    `joined_us`: when it joined a queue; `in_queue`: the last of these, and the queue's name; `left_us`: when it left
    one. `bridged_us`: when it, an agent's leg, was connected with a caller who waited. `recordings`: the files that
    were written of it. `voicemail`: whether it left a message.
    """

    joined_us: tuple[int, ...] = ()
    in_queue: tuple[int, str] | None = None
    bridged_us: tuple[int, ...] = ()
    left_us: tuple[int, ...] = ()
    recordings: tuple[str, ...] = ()
    voicemail: bool = False

    def merged(self, other: Self) -> Self:
        """Merge what two observers noted: of too many the latest times and the smallest paths are kept.

        Whatever the order of merging, the same ones are left.
        """
        if other == self:
            return self
        return type(self)(
            joined_us=_latest(self.joined_us, other.joined_us),
            in_queue=max(filter(None, (self.in_queue, other.in_queue)), default=None),
            bridged_us=_latest(self.bridged_us, other.bridged_us),
            left_us=_latest(self.left_us, other.left_us),
            recordings=tuple(sorted({*self.recordings, *other.recordings})[:MOST_PATHS]),
            voicemail=self.voicemail or other.voicemail,
        )


def _latest(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*left, *right})[-MOST_TIMES:])


def notes_of(event: SwitchEvent, at_us: int) -> Notes | None:
    """Return what an event, made at `at_us` (epoch µs), notes about its leg; None for one that notes nothing."""
    match event.name, event.subclass:
        case "RECORD_STOP", _:
            return _recording(event)
        case "CUSTOM", "callcenter::info" if at_us:
            return _queue(event, at_us)
        case "CUSTOM", "vm::maintenance" if event.vm_action == "leave-message":
            return Notes(voicemail=True)
        case _:
            return None


def _recording(event: SwitchEvent) -> Notes | None:
    # A voicemail message is written as a file too, by a way that states no cause. What a recording of the call itself
    # states also counts when it stops while the caller talks to the voicemail.
    is_message = event.application == "voicemail" and not event.record_completion
    return Notes(recordings=(event.record_path,)) if event.record_path and not is_message else None


def _queue(event: SwitchEvent, at_us: int) -> Notes | None:
    match event.cc_action:
        case "member-queue-start":
            return Notes(joined_us=(at_us,), in_queue=(at_us, event.queue) if event.queue else None)
        case "bridge-agent-start":
            return Notes(bridged_us=(at_us,))
        case "member-queue-end":
            return Notes(left_us=(at_us,))
        case _:
            return None
