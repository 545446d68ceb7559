"""What all tests share: an environment without settings, and property tests that don't flake."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import faces
from tests.environment import forget_settings, share_bytecode
from tests.faces import Face

forget_settings()  # before any test module is imported, and for the programs that tests start
share_bytecode()

pytest.register_assert_rewrite("chatlib.testing.contract")  # with all of its modules

from chatlib.testing.contract import TransportContract  # noqa: E402  # is rewritten by then

settings.register_profile(
    "default",
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(
    "thorough" if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else "default"
)


gc.disable()  # until the tests are collected


def pytest_collection_finish() -> None:
    """Leave what collecting the tests has made out of all later garbage collections.

    None of it ever goes, and a ``gc.collect()`` in a test takes 2 ms instead of 200.
    """
    gc.freeze()
    gc.enable()


LONG_SCENARIOS = {
    "test_total_bounds_all_of_a_response",
    "test_a_large_answer",
    "test_a_large_request",
    "test_a_response_that_is_dropped",
    "test_a_thousand_calls_share_a_connection",
    "test_data_after_a_response",
    "test_many_calls_at_once",
    "test_many_streams_at_once",
    "test_pieces_as_they_come",
    "test_secrets_are_not_shown",
    "test_sending_may_take_longer_than_connecting",
    "test_the_limits_of_one_call_are_not_those_of_the_next",
    "test_the_read_timeout_is_for_each_read",
    "test_threads_share_a_transport",
}
"""The scenarios of the transport contract that take long."""

LONG_TESTS = re.compile(
    r"""
    test_any_cut\[async | test_any_cut_of_the_bytes\[async | test_events_first_read_late\[async
    | test_awaited_exits | test_exits_at_any_point\[.*by.a.proxy
    | test_classes_can_go | test_cuts\[ | test_memory_is_steady
    | test_examples_of_the_page | test_loop_keeps_its_lines\[(bash-(here|sub|wrap|sh)|sh)
    | test_loop_of_fish | test_waits_where_it_is_asked_to | test_scripted_model_is_for_nobody
    | test_multiprocessing\[(spawn|forkserver)
    | test_large_body_may_take_longer | test_programs_end\[.*short | test_interrupted_programs_end
    | test_a_stream_that_is_dropped\[(read|client)
    | test_the_key_after_an_interrupt\[.*(SystemExit|Limit)
    | test_a_stream_that_ends_early_frees_its_place\[_(close|fail|break|open)
    | test_each_place_of_a_completion\[(None|x) | test_terminal_that_cannot_show_it\[.*-(latin-1|C)
    | test_a_page_of_a_megabyte\[(a|data|-|event|\\)
    | test_a_finish_reason_in_every_chunk\[.*with_ | test_program\[finish-reason-in-every
    | test_a_(chunk_without_content|finish_reason_in_the_first|second_choice_that_begins).*\[async
    | test_(total_ends_a_finished_stream|silence_ends|no_limit_on_silence).*\[async
    | test_(the_limit_on_silence_counts|a_pause_before|a_finish_reason_before).*\[async
    | test_the_last_event_lacks_its_blank_line\[async
    | test_total_bounds_(the_call|what_heartbeats)\[(urllib3|async)
    | test_the_total_limit_everywhere\[urllib3 | test_signals_while_waiting\[.*Urllib3
    | test_(connect_timeout|read_timeout|total_leaves|total_bounds|an_interrupt).*\[urllib3
    | test_exits_at_any_point\[.*urllib3 | test_failures_in_rich\[urllib3
    | test_the_key_after_an_interrupt\[.*body
    | test_cancelling\[threads | test_errors_and_deadlines\[threads
    | test_(time_between_two_pieces|a_limit_that_is_set).*\[threads,.urllib3
    | test_closing_while_others_send\[.*urllib3 | test_left_early\[False
    | test_a_large_body_may_take | test_a_stream_that_ends_early_frees_its_place\[urllib3
    | test_errors_nested_deeply\[.*-100000
    | test_(surrogates|model_and_system|note_of_a_cut_answer|retry_is_told)\[arguments[12]
    | test_(dash|terminal_that_cannot_show_it)\[arguments[12] | test_loop_keeps_its_lines\[bash-pipe
    | test_own_input_is_read\[(late|timeout|file.in.sh|pipe.in) | test_socket\[text
    | test_memory\[(?!requests.*line|urllib3.*bomb) | test_fault\[silent.(in|after)
    | test_closed_inside_the_headers\[(?!HTTP/1\.1.2-) | test_no_limit_on_silence
    | test_open_pipe | test_multiprocessing\[fork-urllib3 | test_killed\[threads
    | test_in_a_process_of_its_own
    """,
    re.VERBOSE,
)
"""The other tests that take long, of which quicker ones test much the same."""

DEFAULT_TRANSPORT = "TestRequestsTransport"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Two for each core, for ``-n auto``: half of the time, tests wait for a server or a limit."""
    return None if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") else 2 * (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to ``-m slow`` what takes long, and the contract over threads around transports."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        cls = item.cls
        is_contract = cls is not None and issubclass(cls, TransportContract)
        if LONG_TESTS.match(item.name) or (
            is_contract
            and cls.__name__ != DEFAULT_TRANSPORT
            and (item.originalname in LONG_SCENARIOS or cls.__name__.startswith("TestThreads"))
        ):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    """Both faces of the library, in turn: what a test says of clients holds for both."""
    before, made = faces.now, Face(request.param)
    faces.now = made
    yield made
    faces.now = before
    made.close()
