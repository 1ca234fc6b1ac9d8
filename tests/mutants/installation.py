"""Mutants of settings, of who writes the data directory, and of the times of `tollbook run`."""

from tests.mutants.mutant import Mutant

ENV_FILE = "tests/integration/tollbook/test_env_file.py"
OWNER = "tests/integration/tollbook/test_data_owner.py"
PASSWORDS = "tests/integration/tollbook/store/test_passwords.py"
SCHEDULE = "tests/unit/tollbook/supervisor/test_schedule.py"

MUTANTS = (
    Mutant(
        path="tollbook/env_file.py",
        claim="the environment goes before the file of settings",
        text="environ.setdefault(assignment.name, assignment.value)",
        replacement="environ[assignment.name] = assignment.value",
        tests=(f"{ENV_FILE}::test_the_environment_goes_before_the_file",),
    ),
    Mutant(
        path="tollbook/data_owner.py",
        claim="nobody but its owner writes below the data directory",
        text="if owner is None or owner.st_uid == os.geteuid():",
        replacement="if owner is None or owner.st_uid != os.getpid():",
        tests=(f"{OWNER}::test_another_user_is_refused_with_the_line_to_run",),
    ),
    Mutant(
        path="tollbook/database_url.py",
        claim="a password that libpq would cut at its first @ is refused unread",
        text='place.count("@") > 1',
        replacement='place.count("@") > 9',
        tests=(f"{PASSWORDS}::test_a_password_as_it_is_works_or_is_explained",),
    ),
    Mutant(
        path="tollbook/supervisor/schedule.py",
        claim="a night that was missed is made up for",
        text="begun_s if last_s is None else last_s",
        replacement="begun_s",
        tests=(f"{SCHEDULE}::test_a_day_is_missed_by_none",),
    ),
)
