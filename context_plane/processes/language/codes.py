"""Codes: every fault that a process file can have, by the name that diagnostics carry.

Here belong the names, how bad each is and what it means; docs/spec/processes.md lists them in the same words. Faults of
files outside of `processes/` have errors instead (`errors.py`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from context_plane.processes.language.diagnostic import Severity


class CodeInfo(NamedTuple):
    """How bad a fault is, and what it means."""

    severity: Severity
    meaning: str


def _errors(**meanings: str) -> dict[str, CodeInfo]:
    return {name.replace("_", "-"): CodeInfo("error", meaning) for name, meaning in meanings.items()}


def _warnings(**meanings: str) -> dict[str, CodeInfo]:
    return {name.replace("_", "-"): CodeInfo("warning", meaning) for name, meaning in meanings.items()}


_READING: Final = _errors(
    file_unreadable="the file cannot be read, or is none",
    yaml_too_large="the file is larger than 1 MiB",
    yaml_too_many="the file has more than 50,000 values",
    yaml_too_deep="values are nested deeper than 40",
    yaml_encoding="the file is not UTF-8",
    yaml_character="a character that YAML does not allow, or that only some readers take for a line break",
    yaml_tab="a tab indents a line",
    yaml_syntax="the text is no YAML",
    yaml_alias="an alias (`*name`)",
    yaml_merge_key="a merge key (`<<`)",
    yaml_tag="a tag (`!name`)",
    yaml_duplicate_key="a key is there twice in one mapping",
    yaml_key_not_text="a key is a number, a boolean, null, a list or a mapping",
    yaml_number="a number is too large to be one",
    not_a_mapping="a document is a list or a single value",
    unknown_document="a document has none of the keys that say what it is",
    too_many_findings="the file has more than 100 findings; the rest is left out",
) | _warnings(empty_file="the file has no document")

_KEYS_AND_VALUES: Final = _errors(
    unknown_key="no document has this key here",
    misplaced_key="the key belongs to another kind of document, step or trigger",
    missing_key="a key that is needed here is missing",
    wrong_type="the value is of another type, or there is none",
    bad_name="the name has other characters than names may have",
    bad_version="the version is no whole number from 1",
    bad_duration="the duration is not like `30s`, `5m`, `1h`, `500ms` or a number of seconds",
    bad_retries="the retries are no number from 0 to 100, or delay and backoff make no sense",
    bad_budget="the budget is no number of tokens from 1",
    bad_value="the value is none of those that there are, or outside of its bounds",
    bad_default="a default is not of the type of its input",
    bad_run="a command is not a list of texts",
    bad_match="a match is empty, or compares with something that is no text, number, boolean, null or list of these",
    bad_cron="the cron expression cannot be read, or never comes true",
    bad_timezone="there is no such time zone",
    bad_reference="a reference (`${…}`) cannot be read, or refers to something that is not there at this place",
    unknown_need="contexts are not made of this",
    empty_steps="a process that is not abstract has no steps",
    action_and_run="a step has both `action` and `run`",
    run_and_prompt="an action has both `run` and `prompt`",
    sealed_abstract="what must be replaced or extended is sealed",
    both_positions="a step has both `before` and `after`",
)

_NAMES: Final = _errors(
    duplicate_process="two documents declare a process of this name",
    duplicate_interface="two documents declare an interface of this name",
    duplicate_action="an action of this name is declared twice, or registered already",
    duplicate_gate="a gate of this name is declared twice, or registered already",
    duplicate_step="two steps of one document have this id",
    unknown_action="no such action is registered or declared",
    unknown_gate="no such gate is registered or declared",
    unknown_topic="the knowledge has no such topic",
    unknown_package="there is no such package",
    unknown_interface="no document declares this interface",
    unknown_parent="no document declares the process that is extended",
    unknown_input_of_action="the action does not take this input",
    missing_input_of_action="the action needs an input that the step does not give",
    unknown_input_of_gate="the gate does not take this input",
    missing_input_of_gate="the gate needs an input that it is not given",
    wrong_input_type="an input of an action or gate is of another type",
    undeclared_input="a reference to an input that is not declared",
    unknown_step_reference="a reference to a step that is not there or does not come before",
) | _warnings(
    unused_input="an input that nothing refers to",
    repeated_gate="a gate stands here already, or in the parent",
    repeated_topic="a topic stands here already, or in the parent",
    no_model="a step asks a model, and none is configured",
)

_INHERITANCE: Final = _errors(
    too_many_parents="a process has more than 32 parents",
    too_many_steps="a process has more than 2,000 steps, or all of them together more than 250,000",
    circular_inheritance="a process extends itself, directly or through others",
    sealed_process="the parent is sealed",
    sealed_step="the step of the parent that is replaced is sealed",
    abstract_step_left="a step of a parent must be replaced and is not",
    abstract_step_in_concrete="an abstract step in a process that is not abstract",
    removed_gate="gates cannot be removed",
    removed_inherited="steps and knowledge cannot be removed",
    inherit_without_parent="`inherit` where there is nothing to inherit",
    inherit_twice="`inherit` twice in one list",
    unknown_position="`before` or `after` a step that is not there",
    position_without_parent="`before` or `after` in a process that extends none",
    position_circle="steps that stand before or after each other in a circle",
    moved_step="a step of the parent cannot be moved, nor a second one have its id",
    interface_missing_step="the interface requires a step that the process does not have, or only abstract",
    interface_missing_gate="the interface requires a gate that the process does not have",
    interface_missing_knowledge="the interface requires a topic that the process does not have",
    interface_missing_input="the interface has an input that the process does not take, or of another type",
    interface_extra_input="the process needs an input that callers of the interface do not give",
)

_RUNNING: Final = _errors(
    trigger_without_input="a trigger starts a process that needs an input, which triggers do not give",
    trigger_loop="a trigger that what its own runs write would set off again, for ever",
    version_reused="a version that was compiled before declares something else now",
    version_went_back="the version is lower than one that was compiled before",
    history_corrupt="the record of a version that was compiled before cannot be read",
) | _warnings(
    abstract_trigger="the trigger of an abstract process starts nothing; its children inherit it",
    not_recorded="compiled versions could not be written down",
)

CODES: Final[dict[str, CodeInfo]] = _READING | _KEYS_AND_VALUES | _NAMES | _INHERITANCE | _RUNNING
