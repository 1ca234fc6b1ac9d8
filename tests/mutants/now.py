"""Mutants of what is up now: the API's streams and links, the dashboard's view and its wallboard."""

from tests.mutants.mutant import Mutant

API = "tests/integration/export_app/test_now.py"
LINK = (f"{API}::test_a_link_shows_one_queue_and_nothing_else",)
CALLERS = (f"{API}::test_callers_are_counted_by_queue_and_a_link_shows_its_own",)
TOLD = (f"{API}::test_a_stream_tells_what_changes_and_ends_with_its_key",)
BOUNDED = (f"{API}::test_streams_are_bounded_and_hold_nothing",)
NOTES = ("tests/unit/tollbook/model/test_notes.py",)
WAITS = ("tests/unit/tollbook/model/test_up_now.py",)
PAGE = "export_app/pages/dashboard_page"
MODULES = ("tests/integration/export_app/pages/test_dashboard_modules.py",)
VIEW = "tests/acceptance/test_dashboard_now.py"
WALL = "tests/acceptance/test_wallboard.py"

MUTANTS = (
    Mutant(
        path="export_app/now/figures.py",
        claim="a link shows the calls of its queue alone",
        text="ours = [call for call in now.calls if queue is None or call.queue_id == queue]",
        replacement="ours = list(now.calls)",
        tests=CALLERS,
    ),
    Mutant(
        path="export_app/now/figures.py",
        claim="a link shows no number",
        text='"from_num": call.from_num if queue is None else None',
        replacement='"from_num": call.from_num',
        tests=CALLERS,
    ),
    Mutant(
        path="export_app/now/figures.py",
        claim="a link shows no account",
        text='"account_id": one.account_id if queue is None else None',
        replacement='"account_id": one.account_id',
        tests=LINK,
    ),
    Mutant(
        path="export_app/now/figures.py",
        claim="a link shows the day of its queue alone",
        text="[one for one in now.day if queue is None or one.queue_id == queue]",
        replacement="now.day",
        tests=LINK,
    ),
    Mutant(
        path="export_app/now/figures.py",
        claim="callers of a queue are counted, and not only those that are listed",
        text="sum(call.waiting_since is not None for call in ours)",
        replacement="len(ours)",
        tests=CALLERS,
    ),
    Mutant(
        path="export_app/now/viewer.py",
        claim="a link takes no parameter, such as another account",
        text="    if request.args:",
        replacement="    if False:",
        tests=LINK,
    ),
    Mutant(
        path="export_app/now/links.py",
        claim="operators alone make links",
        text="    identity.require(OPERATOR)",
        replacement="    del OPERATOR",
        tests=LINK,
    ),
    Mutant(
        path="tollbook/store/wallboard_links.py",
        claim="a link shows nothing once it has expired",
        text="WHERE wallboard_link.expires_at > now() AND",
        replacement="WHERE",
        tests=LINK,
    ),
    Mutant(
        path="tollbook/store/wallboard_links.py",
        claim="a link ends with the key that made it",
        text="WHERE wallboard_link.expires_at > now() AND revoked_at IS NULL AND disabled_at IS NULL",
        replacement="WHERE wallboard_link.expires_at > now() AND disabled_at IS NULL",
        tests=LINK,
    ),
    Mutant(
        path="export_app/now/feeds.py",
        claim="a stream ends with its key, session or link",
        text="if (feed.viewer.session or feed.viewer.owner) in opened and self._clock()",
        replacement="if self._clock()",
        tests=TOLD,
    ),
    Mutant(
        path="export_app/now/feeds.py",
        claim="what has not changed is said to be so still",
        text="elif self._clock() - feed.said_s >= UNCHANGED_S:",
        replacement="elif self._clock() - feed.said_s >= 1000 * UNCHANGED_S:",
        tests=TOLD,
    ),
    Mutant(
        path="export_app/now/feeds.py",
        claim="a key has so many streams, and no more",
        text="mine >= MAX_STREAMS_PER_KEY",
        replacement="mine > MAX_STREAMS_PER_KEY",
        tests=BOUNDED,
    ),
    Mutant(
        path="export_app/now/feeds.py",
        claim="an account that cannot be read holds up no other",
        text="        except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's",
        replacement="        except KeyError as error:",
        tests=(f"{API}::test_an_account_that_cannot_be_read_holds_up_no_other",),
    ),
    Mutant(
        path="tollbook/model/notes.py",
        claim="of the queues that a leg joined the last one counts, in whatever order they are heard",
        text="in_queue=max(filter(None, (self.in_queue, other.in_queue)), default=None)",
        replacement="in_queue=self.in_queue or other.in_queue",
        tests=NOTES,
    ),
    Mutant(
        path="tollbook/model/up_now.py",
        claim="the queue of a wait is the one joined then, not one joined before",
        text="if leg.in_queue and leg.in_queue[0] == joined and not leg.ended",
        replacement="if leg.in_queue and not leg.ended",
        tests=WAITS,
    ),
    Mutant(
        path=f"{PAGE}/thresholds.js",
        claim="a service level is worse the lower it is",
        text="(low ? value < limit : value >= limit)",
        replacement="value >= limit",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/thresholds.js",
        claim="thresholds out of an address are checked",
        text="if (faultOf(key, limits) === null) found[key] = limits;",
        replacement="found[key] = limits;",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/event_reader.js",
        claim="the end of a line may come in two pieces",
        text=r"/\r\n|\n|\r(?=[^\n])/",
        replacement=r"/\r\n|\n|\r/",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/board.js",
        claim="a queue beyond those of one answer is not said to have had no calls",
        text="if (!ours.length && queues.length >= MOST_QUEUES)",
        replacement="if (false)",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/board.js",
        claim="a day without calls has no service level, which would be red",
        text="if (day === null || day.offered === 0) {",
        replacement="if (day === null) {",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/board.js",
        claim="what is old says so, though the server is there",
        text='if (age > LATE_MS) return { tone: "late"',
        replacement='if (age > 100 * LATE_MS) return { tone: "late"',
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/wall_address.js",
        claim="a token is taken out of the address",
        text='(byLink ? [["link", ""]] : [])',
        replacement='(byLink ? [["link", "wb_kept"]] : [])',
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/now_feed.js",
        claim="a link is opened without the browser's session",
        text='credentials: "omit", ',
        replacement="",
        tests=(f"{WALL}::test_a_link_shows_no_more_to_who_is_signed_in",),
    ),
    Mutant(
        path=f"{PAGE}/now_feed.js",
        claim="a stream that fails is replaced by questions",
        text="await this.poll(run, Date.now() + backoff(failures, Math.random(), this.pauses));",
        replacement="await this.pause(backoff(failures, Math.random(), this.pauses));",
        tests=(f"{VIEW}::test_without_a_stream_it_asks_again_and_again",),
    ),
    Mutant(
        path=f"{PAGE}/now_feed.js",
        claim="a clock that was set makes nothing old, or new",
        text="this.ahead = this.renews ? ahead : Math.max(this.ahead, ahead);",
        replacement="this.ahead = Math.max(this.ahead, ahead);",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/now.js",
        claim="waits stand still while nobody knows whether they go on",
        text='fresh.tone === "ok" ? feed.serverNow() : feed.asOf',
        replacement="feed.serverNow()",
        tests=(f"{VIEW}::test_a_server_that_goes_and_comes_back",),
    ),
    Mutant(
        path=f"{PAGE}/app.js",
        claim="a load that nobody answered is tried again soon",
        text="if (away) pause = AWAY_PAUSE;",
        replacement="",
        tests=("tests/acceptance/test_dashboard_away.py",),
    ),
)
