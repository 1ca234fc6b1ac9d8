"""Mutants of events out: what is noted, who is told, in which order, and where nothing is sent."""

from tests.mutants.mutant import Mutant

NOTED = "tests/integration/tollbook/store/events/test_noted_events.py"
DELIVER = "tests/integration/maintenance/deliver/test_deliver.py"
SENDER = "tests/integration/maintenance/deliver/test_sender.py"
NATS = "tests/integration/maintenance/deliver/test_nats.py"
DISPATCHER = "tests/unit/maintenance/deliver/test_dispatcher.py"
NUMBER_PLACES = "tests/integration/maintenance/erase/test_number_places.py"
API = "tests/integration/export_app/test_webhooks.py"
ENDPOINTS = "tests/unit/tollbook/model/test_endpoints.py"
FORGOTTEN = "tests/integration/tollbook/store/events/test_forgotten_events.py"
TURN_KEEPER = "tests/integration/maintenance/deliver/test_turn_keeper.py"
OUTCOME = "tests/unit/maintenance/deliver/test_outcome.py"

MUTANTS = (
    Mutant(
        path="tollbook/store/migrations/versions/0008_events.py",
        claim="who loses a call learns its key alone",
        text="""CASE WHEN step = 0 THEN '{"removed": true}' ELSE""",
        replacement="CASE WHEN false THEN NULL ELSE",
        tests=(f"{NOTED}::test_a_call_that_moves_is_lost_to_one_and_begins_for_the_other",),
    ),
    Mutant(
        path="tollbook/store/migrations/versions/0008_events.py",
        claim="nothing new waits for an endpoint that is switched off",
        text=" AND deleted_at IS NULL AND disabled_at IS NULL;",
        replacement=" AND deleted_at IS NULL;",
        tests=(f"{NOTED}::test_an_endpoint_gets_what_it_asked_for",),
    ),
    Mutant(
        path="tollbook/store/events/queue.py",
        claim="the next event of a call waits for the one before",
        text="AND earlier.seq < first.seq AND earlier.dead_at IS NULL",
        replacement="AND earlier.seq < 0 AND earlier.dead_at IS NULL",
        tests=(f"{DELIVER}::test_a_failed_delivery_is_tried_again_and_the_next_of_its_call_waits",),
    ),
    Mutant(
        path="tollbook/store/events/queue.py",
        claim="a delivery whose event is gone takes no other's room",
        text="AND (SELECT true FROM call_event WHERE call_event.seq = first.seq)",
        replacement="",
        tests=(f"{FORGOTTEN}::test_deliveries_without_their_event_hold_up_no_other",),
    ),
    Mutant(
        path="maintenance/deliver/turn_keeper.py",
        claim="turns that were not renewed for long are not ours",
        text="if self._clock() - self._renewed_s < FRESH_S else frozenset()",
        replacement="",
        tests=(f"{TURN_KEEPER}::test_whatever_fails_the_turns_are_renewed_later",),
    ),
    Mutant(
        path="maintenance/deliver/http_sender.py",
        claim="the address is checked of the socket that is connected",
        text="if not may_reach(str(host)):",
        replacement="if not host:",
        tests=(f"{SENDER}::test_hostile_urls_get_nothing",),
    ),
    Mutant(
        path="maintenance/deliver/http_sender.py",
        claim="redirects are not followed",
        text="allow_redirects=False",
        replacement="allow_redirects=True",
        tests=(f"{SENDER}::test_a_redirect_is_not_followed",),
    ),
    Mutant(
        path="maintenance/deliver/http_sender.py",
        claim="an answer is not read to its end",
        text="response.content.read(MAX_ANSWER)",
        replacement="response.content.read()",
        tests=(f"{SENDER}::test_an_endless_answer_is_not_read",),
    ),
    Mutant(
        path="maintenance/deliver/http_sender.py",
        claim="a status is an answer, whether its body comes or not",
        text="with suppress(TimeoutError, aiohttp.ClientError):",
        replacement="with suppress():",
        tests=(f"{SENDER}::test_a_status_is_an_answer_whatever_its_body_is",),
    ),
    Mutant(
        path="maintenance/deliver/http_sender.py",
        claim="an account does not learn whether a name of our network exists",
        text="return NOWHERE if code == errno.EACCES else",
        replacement="return str(error) if code == errno.EACCES else",
        tests=(f"{SENDER}::test_a_name_counts_for_the_address_that_it_has_when_it_is_connected_to",),
    ),
    Mutant(
        path="maintenance/deliver/dispatcher.py",
        claim="an account leaves room for others",
        text="share = min(max(free // SHARE, 1), free) - of_sharer",
        replacement="share = free",
        tests=(f"{DISPATCHER}::test_no_account_takes_what_the_others_need",),
    ),
    Mutant(
        path="maintenance/deliver/resolver.py",
        claim="the name lookups of an account wait for its own alone",
        text="self._free.setdefault(_account.get(), ",
        replacement="self._free.setdefault(None, ",
        tests=(f"{SENDER}::test_names_that_no_server_answers_for_delay_no_other_account",),
    ),
    Mutant(
        path="maintenance/deliver/nats_sender.py",
        claim="of many events at once the first connects",
        text="if self._connecting is None or self._connecting.done():",
        replacement="if True:",
        tests=(f"{NATS}::test_many_at_once_share_a_connection_and_a_stream_that_was_deleted_is_made_again",),
    ),
    Mutant(
        path="tollbook/model/endpoints.py",
        claim="an IPv4 address in IPv6's form is that IPv4 address",
        text="return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found",
        replacement="return found",
        tests=(f"{ENDPOINTS}::test_the_operator_lists_what_is_allowed_beside",),
    ),
    Mutant(
        path="maintenance/deliver/outcome.py",
        claim="an endpoint is switched off after three days without a success",
        text="failing_for_s >= GIVE_UP_S - _NEARLY_S",
        replacement="failing_for_s < 0",
        tests=(f"{OUTCOME}::test_an_endpoint_that_took_nothing_for_three_days_is_switched_off",),
    ),
    Mutant(
        path="maintenance/deliver/outcome.py",
        claim="what fails at once is one failure",
        text="failures + 1 if len(errors) > delivered else 0",
        replacement="failures + len(errors) if len(errors) > delivered else 0",
        tests=(f"{OUTCOME}::test_what_fails_at_once_is_one_failure",),
    ),
    Mutant(
        path="maintenance/deliver/outcome.py",
        claim="a receiver that takes a few of many is left alone for a while",
        text="failures + 1 if len(errors) > delivered else 0",
        replacement="0 if delivered else failures + 1",
        tests=(f"{OUTCOME}::test_a_receiver_that_takes_a_few_of_many_fails",),
    ),
    Mutant(
        path="maintenance/deliver/outcome.py",
        claim="a quiet time is no failure",
        text="elif dead and not delivered",
        replacement="elif failures and not delivered",
        tests=(f"{OUTCOME}::test_one_failure_after_a_quiet_time_switches_nothing_off",),
    ),
    Mutant(
        path="maintenance/deliver/service.py",
        claim="a copy of a database tells nobody",
        text="if (found := recognise(connection, self._settings.data_dir)) is not None:",
        replacement="if (found := recognise(connection, self._settings.data_dir)) is not None and False:",
        tests=(f"{DELIVER}::test_a_restored_database_delivers_nothing_until_it_may",),
    ),
    Mutant(
        path="tollbook/store/erasure/removal.py",
        claim="that a call is gone is told also when it is removed again",
        text="""AND event.record IS DISTINCT FROM '{"removed": true}'""",
        replacement="",
        tests=(f"{FORGOTTEN}::test_an_erased_call_has_no_event_but_that_it_is_gone",),
    ),
    Mutant(
        path="maintenance/erase/stored.py",
        claim="a number goes from the events of rows that are gone",
        text="for remove in (old_prices.remove_old_prices_naming, events.remove_events_naming):",
        replacement="for remove in (old_prices.remove_old_prices_naming,):",
        tests=(f"{NUMBER_PLACES}::test_a_call_that_went_into_another_leaves_its_number_in_no_event",),
    ),
    Mutant(
        path="tollbook/store/events/webhooks.py",
        claim="one test waits for an endpoint",
        text="if waits is not None:",
        replacement="if waits is not None and False:",
        tests=(f"{API}::test_an_endpoint_has_one_test_that_waits",),
    ),
    Mutant(
        path="tollbook/store/events/webhooks.py",
        claim="an account has so many endpoints, also when it makes some at once",
        text="_lock(connection, account_id)\n        row",
        replacement="row",
        tests=(f"{API}::test_endpoints_are_few_also_when_many_are_made_at_once",),
    ),
    Mutant(
        path="tollbook/store/row_security.py",
        claim="the API writes as its role, which writes its own account's rows alone",
        text="[_BEGIN_WRITING, _become(accounts)]",
        replacement="[_BEGIN_WRITING]",
        tests=(f"{API}::test_postgresql_keeps_accounts_apart",),
    ),
)
