"""Mutants of the wire, and of the folder of CDR files: what damage and hostile peers may not do."""

from tests.mutants.mutant import Mutant

FRAMING = "tests/unit/tollbook/esl/test_framing.py"
FOLDER = "tests/integration/maintenance/recover/test_cdr_folder.py"

MUTANTS = (
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
        tests=(f"{FOLDER}::test_one_at_a_time_in_a_folder",),
    ),
    Mutant(
        path="maintenance/recover/cdr_file.py",
        claim="a file that another recover has moved is no error",
        text="except FileNotFoundError:",
        replacement="except ZeroDivisionError:",
        tests=(f"{FOLDER}::test_a_file_that_is_gone_is_no_error",),
    ),
)
