"""The checks themselves: each of them can fail."""

from __future__ import annotations

import ansible_tests
import build
import cases
import faults
import field_coverage
import pytest
import sample
import scenarios
import station
import steps
import tree
import words

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan._tables import (
    container_fields,
    resource_fields,
)

MOLECULE_PASSED = "INFO default > verify: Executed: Successful\n==== 7 passed in 3.10s ====\n"


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (MOLECULE_PASSED, None),
        ("WARNING default > verify: Skipping, no tests found.\n", "Skipping, no tests found."),
        (MOLECULE_PASSED + "\x1b[33mdefault > dependency: Executed: 2 missing (Remove)\x1b[0m", "2 missing"),
        (MOLECULE_PASSED + "default > side_effect: Executed: Missing playbook (Remove)", "Missing playbook"),
        (MOLECULE_PASSED + "default : actions=4 successful=3 disabled=0 skipped=0 missing=1 failed=0", "missing=1"),
        (MOLECULE_PASSED + "default : actions=4 successful=3 disabled=1 skipped=0 missing=0 failed=0", "disabled=1"),
        (MOLECULE_PASSED + "default : actions=4 successful=4 disabled=0 skipped=0 missing=0 failed=0", None),
        ("==== 3 skipped in 0.01s ====", "nothing in its output"),
        ("==== 0 passed in 0.01s ====", "nothing in its output"),
        ("", "nothing in its output"),
    ],
)
def test_a_scenario_that_left_something_out_does_not_pass(output: str, complaint: str | None) -> None:
    found = steps.nothing_done(output, scenarios.EXECUTED, scenarios.LEFT_OUT)
    assert found is None if complaint is None else complaint in str(found)


def test_ansible_test_that_skipped_all_targets_does_not_pass() -> None:
    output = 'Running sanity test "x"\nWARNING: All targets skipped.\n'
    assert steps.nothing_done(output, "Running", ansible_tests.LEFT_OUT) == "it said: All targets skipped."


def fail() -> None:
    raise steps.Failed("it is broken")


def skip() -> None:
    raise steps.Skipped("nothing new")


@pytest.mark.parametrize(
    ("actions", "code", "closing"),
    [
        ([print, print], 0, "2 passed, 0 failed"),
        ([fail, print], 1, "1 passed, 1 failed"),
        ([skip, print], 0, "1 passed, 0 failed, 1 skipped"),
        ([], 1, "0 passed, 0 failed"),
    ],
)
def test_the_last_line_counts_what_happened(actions, code, closing, capsys) -> None:
    assert steps.run_steps(steps.Step("step", action) for action in actions) == code
    assert capsys.readouterr().out.splitlines()[-1] == closing


def test_how_long_a_step_took_is_known_to_those_after_it(monkeypatch) -> None:
    monkeypatch.setattr(steps, "SECONDS", {})
    known = []
    actions = {"first": print, "second": lambda: known.extend(steps.SECONDS), "third": fail}
    steps.run_steps(steps.Step(name, action) for name, action in actions.items())
    assert (known, list(steps.SECONDS)) == (["first"], ["first", "second"])


def test_a_program_that_succeeds_and_did_something_passes() -> None:
    steps.run(["echo", "done"], must="done")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["sh", "-c", "exit 3"], "sh ended with exit code 3"),
        (["true"], "true ended with exit code 0, but nothing in its output shows that anything was executed"),
        (["sleep", "60"], "sleep did not end within 1 s"),
    ],
)
def test_other_programs_fail_with_a_sentence(argv: list[str], complaint: str) -> None:
    with pytest.raises(steps.Failed, match=complaint):
        steps.run(argv, must="done", timeout=1)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("deb http://deb" + ".debian.org/debian trixie main", 1),
        ("index-url = https://pypi" + ".org/simple\nimage: docker.io/library/redis", 1),
        ("see /wo" + "rk/main/plugins", 1),
        ("WorkingDir: /work\nhttps://www.gnu.org/licenses/", 0),
    ],
)
def test_forbidden_words_are_found(text: str, count: int) -> None:
    assert len(words.findings("file", text)) == count


def test_an_archive_holds_what_it_should() -> None:
    assert build.complaints(build.NEEDED | {"plugins/modules/x.py"}) == []
    assert build.complaints((build.NEEDED | {".venv/bin/python"}) - {"LICENSE"}) == [
        "surplus: .venv (add it to build_ignore in galaxy.yml)",
        "missing: LICENSE",
    ]


def test_pip_settings_of_all_places_reach_the_clean_environment() -> None:
    listing = "global.index-url='https://mirror.example/simple'\n:env:.timeout='60'\ninstall.find-links='/a\\n/b'\n"
    settings = ansible_tests.pip_settings(listing)
    assert settings.get("global", "index-url") == "https://mirror.example/simple"
    assert settings.get("global", "timeout") == "60"
    assert settings.get("install", "find-links") == "/a\n/b"


MINUTES = {
    "short": {"container": 2, "emulated": 4},
    "middle": {"container": 4, "emulated": 12},
    "long": {"container": 8, "emulated": 50},
    "unmeasured": {"container": 3},
}


def test_a_seed_always_chooses_the_same_scenarios_and_each_gets_its_turn() -> None:
    backwards = dict(reversed(MINUTES.items()))
    assert sample.choose(MINUTES, "7", 20, "container") == sample.choose(backwards, "7", 20, "container")
    first = {sample.choose(MINUTES, str(seed), 20, "vm")[0].name for seed in range(50)}
    assert first == set(MINUTES)


@pytest.mark.parametrize("budget", [0, 3, 5, 10, 16, 20, 60])
@pytest.mark.parametrize("kind", ["container", "vm"])
def test_the_sample_stays_within_its_minutes_and_leaves_out_nothing_that_fits(budget, kind) -> None:
    for seed in range(30):
        chosen = sample.choose(MINUTES, str(seed), budget, kind)
        left = budget - sum(one.minutes for one in chosen)
        assert left >= 0
        missing = set(MINUTES) - {one.name for one in chosen}
        assert all(MINUTES[name]["container"] > left for name in missing)
        assert len({one.name for one in chosen}) == len(chosen)


@pytest.mark.parametrize(
    ("budget", "virtual"), [(4, set()), (10, {"short"}), (20, {"short", "middle"}), (100, {"short", "middle", "long"})]
)
def test_one_of_them_has_a_kernel_of_its_own_when_it_fits(budget, virtual) -> None:
    runs = [sample.choose(MINUTES, str(seed), budget, "container") for seed in range(50)]
    assert {one.name for chosen in runs for one in chosen if one.kind == "vm"} == virtual
    assert all(len([one for one in chosen if one.kind == "vm"]) == bool(virtual) for chosen in runs)


def test_a_slow_machine_runs_fewer() -> None:
    assert sample.speed({}) == 1
    assert sample.speed({"scenario default": 120 * sample.MINUTES["default"]["container"]}) == pytest.approx(2)


def test_the_minutes_of_every_scenario_are_known() -> None:
    assert sorted(sample.MINUTES) == scenarios.names()


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        (["3.8", "3.9", "3.10", "3.13"], [["3.8", "3.10", "3.13"], ["3.8", "3.9", "3.13"]]),
        (["3.8", "3.13"], [["3.8", "3.13"]]),
        (["3.11"], [["3.11"]]),
    ],
)
def test_the_oldest_and_the_newest_python_are_always_chosen(versions, chosen) -> None:
    assert sorted({tuple(sample.pythons(versions, str(seed))) for seed in range(50)}) == [tuple(one) for one in chosen]


def test_a_passed_scenario_is_repeated_when_a_file_changed(tmp_path, monkeypatch) -> None:
    executed: list[str] = []
    monkeypatch.delenv("FRESH", raising=False)
    monkeypatch.setattr(scenarios, "execute", executed.append)
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    monkeypatch.setattr(tree, "files", lambda: ["README.md", "roles.yml"])
    for readme, roles in [("one", "one"), ("two", "one"), ("two", "two")]:
        (tmp_path / "README.md").write_text(readme)
        (tmp_path / "roles.yml").write_text(roles)
        try:
            scenarios.resume("default", tmp_path / "stamps")
        except steps.Skipped:
            executed.append("skipped")
    assert executed == ["default", "skipped", "default"]


def test_an_unknown_scenario_is_named() -> None:
    with pytest.raises(steps.Failed, match="there is no molecule/nonsense"):
        scenarios.execute("nonsense")


def test_the_page_on_fields_is_what_the_tables_say():
    page = field_coverage.PAGE.read_text(encoding="utf-8")
    assert page == field_coverage.text(), "run make docs"
    for table in (container_fields.CONTAINER, resource_fields.NETWORK, resource_fields.VOLUME):
        assert all(f"| `{row.path}` |" in page for row in table)


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.what)
def test_a_fault_of_the_crash_matrix_has_its_place_in_the_program_and_its_case(fault):
    assert station.program(steps.ROOT, fault)
    assert fault.case in {str(case) for case in cases.cases()}
