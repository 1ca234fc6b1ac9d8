"""What was recorded of a call: its files, and whether a voicemail message was left."""

from typing import Final, Literal, TypeAlias

from tollbook.model.call_leg import CallLeg
from tollbook.model.leg import FROM_EVENT
from tollbook.model.rules.decision import Decision
from tollbook.model.rules.details.waiting import NotedLegs

RecordingsRule: TypeAlias = Literal["recorded legs", "no recording"]
VoicemailRule: TypeAlias = Literal["message left", "no message", "events not heard"]

# One leg of a call is recorded, or a few: a hundred files are enough to look for the others beside them.
MOST_RECORDINGS: Final = 100

NO_RECORDING: Final[Decision[tuple[str, ...], RecordingsRule]] = Decision((), "no recording")
_NO_MESSAGE: Final[Decision[bool | None, VoicemailRule]] = Decision(False, "no message")
_NOT_HEARD: Final[Decision[bool | None, VoicemailRule]] = Decision(None, "events not heard")


def decide_recordings(noted: NotedLegs) -> Decision[tuple[str, ...], RecordingsRule]:
    """Decide recordings: the files of all legs; of too many the first by name."""
    legs = tuple([leg for leg, notes in noted if notes.recordings])
    if not legs:
        return NO_RECORDING
    paths = {path for _, notes in noted for path in notes.recordings}
    return Decision(tuple(sorted(paths)[:MOST_RECORDINGS]), "recorded legs", legs)


def decide_voicemail(root: CallLeg, noted: NotedLegs) -> Decision[bool | None, VoicemailRule]:
    """Decide voicemail. A CDR file says nothing of it, so of a call that nobody heard it is None."""
    for leg, notes in noted:
        if notes.voicemail:
            return Decision(True, "message left", (leg,))
    end = root.end
    heard = end is not None and end.source == FROM_EVENT and end.details is not None
    return _NO_MESSAGE if heard else _NOT_HEARD
