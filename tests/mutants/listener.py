"""Mutants of the wire and of the folder of CDR files: what hostile peers may not do; and of an outage's lines."""

from tests.mutants.mutant import Mutant

FRAMING = "tests/unit/tollbook/esl/test_framing.py"
FOLDER = "tests/integration/maintenance/recover/test_cdr_folder.py"
OUTAGE = "tests/unit/tollbook/test_outage.py"

WORKERS = "tests/unit/esl_listener/test_workers.py"
SPOOL = "tests/integration/esl_listener/test_spool.py"

MUTANTS = (
    Mutant(
        path="esl_listener/workers.py",
        claim="no switch is heard by two workers, and none by nobody",
        text="switches[first::count]",
        replacement="switches[first::2]",
        tests=(f"{WORKERS}::test_each_switch_is_one_workers_and_no_worker_has_none",),
    ),
    Mutant(
        path="esl_listener/workers_page.py",
        claim="the sum of the workers' counters never falls",
        text="self._ended = _sum([self._ended, before.metrics])",
        replacement="self._ended = before.metrics",
        tests=(f"{WORKERS}::test_counters_are_added_up_and_never_fall_when_a_worker_starts_anew",),
    ),
    Mutant(
        path="esl_listener/workers_page.py",
        claim="a worker that is gone hears no switch",
        text="for name, told in self._reports.items() if self._is_ready(name)}",
        replacement="for name, told in self._reports.items()}",
        tests=(f"{WORKERS}::test_the_state_is_that_of_all_and_a_worker_that_is_gone_hears_nothing",),
    ),
    Mutant(
        path="esl_listener/spool.py",
        claim="the legs of a listener that is gone do not wait for a start",
        text="                if segments(other):",
        replacement="                if not segments(other):",
        tests=(f"{SPOOL}::test_what_a_listener_leaves_behind_later_is_adopted_by_one_that_runs",),
    ),
    Mutant(
        path="tollbook/esl/framing.py",
        claim="a frame cut off inside its head costs no other",
        text="return inside[-1] if inside else body_at",
        replacement="return body_at",
        tests=(f"{FRAMING}::test_after_a_frame_cut_off_inside_a_header_the_next_comes_out",),
    ),
    Mutant(
        path="esl_listener/connection.py",
        claim="a reply that nobody asked for is damage",
        text="self._framer.refuse()  # nobody asked",
        replacement="pass  # nobody asked",
        tests=(f"{FRAMING}::test_a_frame_that_nobody_asked_for_covers_no_event",),
    ),
    Mutant(
        path="esl_listener/connection.py",
        claim="a frame of no known type is damage",
        text="self._framer.refuse()  # a second greeting",
        replacement="pass  # a second greeting",
        tests=(f"{FRAMING}::test_a_frame_that_nobody_asked_for_covers_no_event",),
    ),
    Mutant(
        path="esl_listener/switch.py",
        claim="an end whose creation is written already is read whole",
        text="if created and not self._creations_wait:",
        replacement="if False:",
        tests=("tests/unit/esl_listener/test_created_legs.py",),
    ),
    Mutant(
        path="esl_listener/pace.py",
        claim="a lull of a moment is no quiet hour",
        text="kept = math.exp(-took_s / OF_LATE_S)",
        replacement="kept = 0.0",
        tests=("tests/unit/esl_listener/test_pace.py::test_a_lull_of_a_moment_is_no_quiet_hour",),
    ),
    Mutant(
        path="esl_listener/inbox.py",
        claim="a leg of which something else waits has no creation there",
        text="return leg is not None and leg.create is not None",
        replacement="return leg is not None",
        tests=("tests/unit/esl_listener/test_inbox.py::test_a_creation_waits_until_it_is_taken",),
    ),
    Mutant(
        path="esl_listener/decoder.py",
        claim="a plain event's own body is as long as it says",
        text=""" or (rest and not head.endswith(b"\\nContent-Length: %d" % len(rest)))""",
        replacement="",
        tests=(f"{FRAMING}::test_a_plain_event_may_have_a_body_and_a_type_of_its_own",),
    ),
    Mutant(
        path="esl_listener/decoder.py",
        claim="a plain event holds no head of a frame",
        text="""if str(fields.pop(_CONTENT_TYPE, "")).startswith("text/event-"):""",
        replacement="""if not isinstance(fields.pop(_CONTENT_TYPE, ""), str):""",
        tests=(f"{FRAMING}::test_a_plain_event_without_its_end_covers_no_other",),
    ),
    Mutant(
        path="esl_listener/decoder.py",
        claim="a JSON event holds no head of a frame",
        text="if EVENT_BEGINS in body:",
        replacement="if False:",
        tests=(f"{FRAMING}::test_a_json_event_without_its_end_covers_no_other",),
    ),
    Mutant(
        path="maintenance/recover/cdr_folder.py",
        claim="files are moved to no folder that is a link",
        text="_FOLDER_FLAGS | os.O_NOFOLLOW",
        replacement="_FOLDER_FLAGS",
        tests=(f"{FOLDER}::test_a_target_that_is_no_real_folder_is_refused",),
    ),
    Mutant(
        path="maintenance/recover/cdr_folder.py",
        claim="files are moved to the folder that was there at the start",
        text="dst_dir_fd=folder)",
        replacement="dst_dir_fd=os.open(self.path / target, _FOLDER_FLAGS))",
        tests=(f"{FOLDER}::test_a_target_that_becomes_a_link_meanwhile_leads_nowhere",),
    ),
    Mutant(
        path="maintenance/recover/cdr_folder.py",
        claim="a file is read up to its bound",
        text="file.read(most_bytes + 1)",
        replacement="file.read()",
        tests=(f"{FOLDER}::test_a_file_that_would_fill_memory_is_not_parsed",),
    ),
    Mutant(
        path="maintenance/recover/json_cdr.py",
        claim="lists and objects are counted before they are parsed",
        text="> MAX_CONTAINERS:",
        replacement="> 1000 * MAX_CONTAINERS:",
        tests=(f"{FOLDER}::test_a_file_that_would_fill_memory_is_not_parsed",),
    ),
    Mutant(
        path="maintenance/recover/cdr_folder.py",
        claim="one recover at a time reads a folder",
        text="fcntl.LOCK_EX | fcntl.LOCK_NB",
        replacement="fcntl.LOCK_SH | fcntl.LOCK_NB",
        tests=("tests/integration/maintenance/recover/test_one_at_a_time.py::test_one_at_a_time_in_a_folder",),
    ),
    Mutant(
        path="maintenance/recover/cdr_file.py",
        claim="a file that has gone since it was listed stops nobody",
        text="    except OSError:\n        return None",
        replacement="    except ZeroDivisionError:\n        return None",
        tests=(f"{FOLDER}::test_files_that_go_away_meanwhile_are_named_and_the_rest_is_read",),
    ),
    Mutant(
        path="maintenance/recover/cdr_folder.py",
        claim="a file that was replaced while it was read is not moved unread",
        text="if self.version(name) != version:",
        replacement="if False:",
        tests=(f"{FOLDER}::test_a_file_that_is_replaced_meanwhile_stays",),
    ),
    Mutant(
        path="tollbook/log.py",
        claim="an outage has one line a minute",
        text="if level <= self._worst and now_s < self._next_line_s:",
        replacement="if level < self._worst:",
        tests=(f"{OUTAGE}::test_one_line_at_the_start_one_a_minute_one_at_the_end",),
    ),
    Mutant(
        path="tollbook/log.py",
        claim="what comes and goes is one outage",
        text=" or now_s - self._failed_s < self._settle_s",
        replacement="",
        tests=(f"{OUTAGE}::test_what_comes_and_goes_is_one_outage",),
    ),
    Mutant(
        path="tollbook/log.py",
        claim="what fails because of another outage says nothing while that is on",
        text="if self._within is not None and self._within.is_on:",
        replacement="if False:",
        tests=(f"{OUTAGE}::test_what_fails_because_of_another_outage_says_nothing",),
    ),
    Mutant(
        path="tollbook/log.py",
        claim="its own first failure may come before the other outage is noticed",
        text="if self._within is not None and self._failures == 1:",
        replacement="if False:",
        tests=(f"{OUTAGE}::test_what_fails_because_of_another_outage_says_nothing",),
    ),
)
