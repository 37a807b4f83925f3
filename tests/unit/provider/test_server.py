"""The plugin as the engine sees it: over a real gRPC channel, with a made-up resource."""

import asyncio
import json
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from google.rpc import status_pb2
from pulumi.runtime.proto import engine_pb2, provider_pb2

from tests.unit.provider.conftest import Plugin
from tidegate.provider.errors import PartialFailure, ProviderError
from tidegate.provider.handler import CheckFailure
from tidegate.provider.values import (
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN_SENTINEL,
    encode,
)
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

TYPE = "tidegate:index:Widget"
URN = f"urn:pulumi:test::project::{TYPE}::w"
PASSWORD = "correct-horse"  # noqa: S105  # a value to look for


def properties(**values: Any) -> struct_pb2.Struct:
    return encode(values, {"password"})


def secret(value: object) -> dict[str, object]:
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value}


def create(preview: bool = False, **values: Any) -> Any:
    return provider_pb2.CreateRequest(
        urn=URN, type=TYPE, properties=properties(**values), preview=preview
    )


def diff(olds: dict[str, Any], old_inputs: dict[str, Any], news: dict[str, Any]) -> Any:
    return provider_pb2.DiffRequest(
        id="w",
        urn=URN,
        type=TYPE,
        olds=properties(**olds),
        old_inputs=properties(**old_inputs),
        news=properties(**news),
    )


def update(
    olds: dict[str, Any], old_inputs: dict[str, Any], news: dict[str, Any], preview: bool = False
) -> Any:
    return provider_pb2.UpdateRequest(
        id="w",
        urn=URN,
        type=TYPE,
        olds=properties(**olds),
        old_inputs=properties(**old_inputs),
        news=properties(**news),
        preview=preview,
    )


def read(resource_id: str, **inputs: Any) -> Any:
    return provider_pb2.ReadRequest(id=resource_id, urn=URN, type=TYPE, inputs=properties(**inputs))


def delete(**state: Any) -> Any:
    return provider_pb2.DeleteRequest(id="w", urn=URN, type=TYPE, properties=properties(**state))


def check(**news: Any) -> Any:
    return provider_pb2.CheckRequest(urn=URN, type=TYPE, news=properties(**news))


STATE = {"name": "w", "size": 1, "address": "w:1", "serial": 7}


# -- package and configuration ----------------------------------------------------------------


async def test_it_introduces_itself(unconfigured: Plugin) -> None:
    handshake = await unconfigured.stub.Handshake(provider_pb2.ProviderHandshakeRequest())
    info = await unconfigured.stub.GetPluginInfo(empty_pb2.Empty())
    schema = await unconfigured.stub.GetSchema(provider_pb2.GetSchemaRequest())

    assert handshake.accept_secrets
    assert info.version
    assert list(json.loads(schema.schema)["resources"]) == [TYPE]


async def test_configuration_arrives_as_texts_and_is_checked(unconfigured: Plugin) -> None:
    good = encode({"folder": "/w", "limit": "5", "version": "0.1.0"})
    bad = encode({"limit": '"many"'})

    right = await unconfigured.stub.CheckConfig(provider_pb2.CheckRequest(news=good))
    wrong = await unconfigured.stub.CheckConfig(provider_pb2.CheckRequest(news=bad))
    await unconfigured.stub.Configure(provider_pb2.ConfigureRequest(args=good))

    assert not right.failures
    assert {each.property for each in wrong.failures} == {"folder", "limit"}
    assert unconfigured.widget.configuration is not None
    assert unconfigured.widget.configuration.folder == "/w"
    assert unconfigured.widget.configuration.limit == 5


async def test_a_configuration_that_leaves_something_behind_is_refused(
    unconfigured: Plugin,
) -> None:
    unconfigured.move = SpecError("folder", "/b", "widgets lie in '/a'", "'/a'")
    old, new = encode({"folder": "/a"}), encode({"folder": "/b"})

    moves = await unconfigured.stub.CheckConfig(provider_pb2.CheckRequest(olds=old, news=new))
    begins = await unconfigured.stub.CheckConfig(provider_pb2.CheckRequest(news=new))

    (failure,) = moves.failures
    assert failure.property == "folder"
    assert failure.reason == "folder: '/b' cannot work: widgets lie in '/a'. Instead: '/a'."
    assert not begins.failures, "without old inputs it is new, or replaced on purpose"


async def test_a_preview_works_while_the_configuration_is_unknown(unconfigured: Plugin) -> None:
    await unconfigured.configure(folder=UNKNOWN_SENTINEL)
    checked = await unconfigured.stub.Check(check(name="w"))
    changed = await unconfigured.stub.Diff(diff(STATE, {"name": "w"}, {"name": "v"}))
    created = await unconfigured.stub.Create(create(preview=True, name="w"))

    assert not checked.failures
    assert list(changed.diffs) == ["name"]
    assert created.properties["address"] == UNKNOWN_SENTINEL
    assert unconfigured.widget.configuration is None


async def test_a_changed_configuration_replaces_nothing(plugin: Plugin) -> None:
    old, new = encode({"folder": "/a"}), encode({"folder": "/b"})

    same = await plugin.stub.DiffConfig(provider_pb2.DiffRequest(olds=old, news=old))
    other = await plugin.stub.DiffConfig(provider_pb2.DiffRequest(olds=old, news=new))

    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert other.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert not other.replaces


# -- check ------------------------------------------------------------------------------------


async def test_errors_are_reported_on_the_property_at_fault(plugin: Plugin) -> None:
    response = await plugin.stub.Check(check(size=0, colour="red", password="short"))  # noqa: S106

    reasons = {each.property: each.reason for each in response.failures}
    assert set(reasons) == {"name", "size", "colour", "password"}
    assert "it is 0" in reasons["size"]
    assert "short" not in reasons["password"]


async def test_the_handlers_own_errors_are_reported_without_secrets(plugin: Plugin) -> None:
    plugin.widget.check_failures = [CheckFailure("name", f"w and {PASSWORD} do not go together")]

    response = await plugin.stub.Check(check(name="w", password=PASSWORD))

    (failure,) = response.failures
    assert (failure.property, failure.reason) == ("name", "w and [secret] do not go together")


async def test_a_preview_does_not_ask_the_handler_about_unknown_values(plugin: Plugin) -> None:
    plugin.widget.check_failures = [CheckFailure("name", "never asked")]

    response = await plugin.stub.Check(check(name=UNKNOWN_SENTINEL))

    assert not response.failures
    assert response.inputs["name"] == UNKNOWN_SENTINEL


# -- diff -------------------------------------------------------------------------------------


async def test_the_handler_gets_old_inputs_and_old_outputs(plugin: Plugin) -> None:
    response = await plugin.stub.Diff(
        diff(STATE, {"name": "w", "size": 1}, {"name": "w", "size": 2})
    )

    ((outputs, old, new),) = plugin.widget.diffs
    assert outputs.serial == 7
    assert old is not None
    assert (old.size, new.size) == (1, 2)
    assert response.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(response.diffs) == ["size"]
    assert response.detailedDiff["size"].kind == provider_pb2.PropertyDiff.UPDATE
    assert not response.replaces


async def test_nothing_changed_is_no_difference(plugin: Plugin) -> None:
    response = await plugin.stub.Diff(diff(STATE, {"name": "w"}, {"name": "w"}))

    assert response.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert not response.diffs


async def test_a_replacement_names_its_property(plugin: Plugin) -> None:
    plugin.widget.replace = ("name",)

    response = await plugin.stub.Diff(diff(STATE, {"name": "w"}, {"name": "v"}))

    assert list(response.replaces) == ["name"]
    assert response.detailedDiff["name"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE


async def test_an_unknown_value_is_a_difference_and_the_handler_is_not_asked(
    plugin: Plugin,
) -> None:
    response = await plugin.stub.Diff(
        diff(STATE, {"name": "w", "size": 1}, {"name": "w", "size": UNKNOWN_SENTINEL})
    )

    assert list(response.diffs) == ["size"]
    assert not plugin.widget.diffs


async def test_inputs_of_an_earlier_version_count_as_none(plugin: Plugin) -> None:
    await plugin.stub.Diff(diff(STATE, {"name": "w", "gone": True}, {"name": "w"}))

    ((_, old, _),) = plugin.widget.diffs
    assert old is None


async def test_state_that_is_not_understood_is_reported_without_its_values(plugin: Plugin) -> None:
    broken = {"name": "w", "password": PASSWORD, "serial": PASSWORD}

    error = await plugin.failure("Diff", diff(broken, {"name": "w"}, {"name": "w"}))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "address" in str(error.details())
    assert PASSWORD not in str(error.details())


# -- preview ----------------------------------------------------------------------------------


async def test_a_previewed_create_does_nothing_and_has_unknown_outputs(plugin: Plugin) -> None:
    response = await plugin.stub.Create(
        create(preview=True, name="w", size=UNKNOWN_SENTINEL, password=PASSWORD)
    )

    assert dict(response.properties) == {
        "name": "w",
        "size": UNKNOWN_SENTINEL,
        "password": encode({"password": PASSWORD}, {"password"})["password"],
        "address": UNKNOWN_SENTINEL,
        "serial": UNKNOWN_SENTINEL,
    }
    assert not plugin.widget.widgets


async def test_a_previewed_create_says_what_its_handler_foresees(plugin: Plugin) -> None:
    plugin.widget.foreseen = ("another one goes first", f"it opens with {PASSWORD}")

    await plugin.stub.Create(create(preview=True, name="w", size=UNKNOWN_SENTINEL))
    assert plugin.log.lines == [], "nothing can be looked at before all of it is known"
    await plugin.stub.Create(create(preview=True, name="w", password=PASSWORD))

    assert [line.message for line in plugin.log.lines] == [
        "another one goes first",
        "it opens with [secret]",
    ]


async def test_a_previewed_update_keeps_outputs_that_no_update_changes(plugin: Plugin) -> None:
    response = await plugin.stub.Update(
        update(STATE, {"name": "w"}, {"name": "w", "size": UNKNOWN_SENTINEL}, preview=True)
    )

    assert response.properties["address"] == "w:1"
    assert response.properties["serial"] == UNKNOWN_SENTINEL
    assert response.properties["size"] == UNKNOWN_SENTINEL
    assert not plugin.widget.updates


# -- create, read, update, delete -------------------------------------------------------------


async def test_a_resource_lives_and_ends(plugin: Plugin) -> None:
    created = await plugin.stub.Create(create(name="w", size=2))
    found = await plugin.stub.Read(read("w", name="w", size=2))
    updated = await plugin.stub.Update(
        update(STATE, {"name": "w", "size": 2}, {"name": "w", "size": 3})
    )
    await plugin.stub.Delete(delete(**STATE))
    gone = await plugin.stub.Read(read("w", name="w", size=3))

    assert created.id == "w"
    assert dict(created.properties) == {"name": "w", "size": 2, "address": "w:2", "serial": 7}
    assert (found.id, found.properties["address"]) == ("w", "w:2")
    assert found.inputs == properties(name="w", size=2)
    ((old, new),) = plugin.widget.updates
    assert old is not None
    assert (old.size, new.size) == (2, 3)
    assert updated.properties["address"] == "w:3"
    assert gone.id == ""


async def test_a_refresh_keeps_what_another_version_has_recorded(plugin: Plugin) -> None:
    state = properties(**STATE, password=PASSWORD)
    inputs = properties(name="w", password=PASSWORD, colour="red")

    found = await plugin.stub.Read(
        provider_pb2.ReadRequest(id="w", urn=URN, type=TYPE, properties=state, inputs=inputs)
    )

    assert (found.id, found.properties, found.inputs) == ("w", state, inputs)
    (line,) = plugin.log.lines
    assert "another version of tidegate has recorded it" in line.message


async def test_an_import_of_what_is_not_there_finds_nothing(plugin: Plugin) -> None:
    assert (await plugin.stub.Read(read("w"))).id == ""


async def test_secrets_reach_the_handler_plain_and_the_state_wrapped(plugin: Plugin) -> None:
    created = await plugin.stub.Create(create(name="w", password=PASSWORD))
    updated = await plugin.stub.Update(
        update(STATE, {"name": "w"}, {"name": "w", "password": PASSWORD})
    )
    found = await plugin.stub.Read(read("w", name="w", password=PASSWORD))

    assert plugin.widget.widgets["w"].password == PASSWORD
    for response in (created, updated, found):
        assert response.properties["password"][SIGNATURE_KEY] == SECRET_SIGNATURE
        assert response.properties["password"]["value"] == PASSWORD


# -- errors -----------------------------------------------------------------------------------

OPERATIONS = [
    ("Create", create(name="w", password=PASSWORD)),
    ("Update", update(STATE, {"name": "w"}, {"name": "w", "password": PASSWORD})),
    ("Update", update(STATE | {"password": PASSWORD}, {"name": "w"}, {"name": "w"})),
    ("Delete", delete(**STATE, password=PASSWORD)),
    ("Read", read("w", name="w", password=PASSWORD)),
    ("Diff", diff(STATE, {"name": "w"}, {"name": "w", "password": PASSWORD})),
    ("Check", check(name="w", password=PASSWORD)),
]


@pytest.mark.parametrize(("method", "request_"), OPERATIONS)
async def test_a_refusal_is_the_handlers_sentence_alone(
    plugin: Plugin, method: str, request_: Any
) -> None:
    plugin.widget.failure = ProviderError(f"the shop is closed to {PASSWORD}; come back at nine")

    error = await plugin.failure(method, request_)

    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "the shop is closed to [secret]; come back at nine"


@pytest.mark.parametrize(("method", "request_"), OPERATIONS)
async def test_a_defect_is_one_sentence_and_its_traceback_only_a_debug_message(
    plugin: Plugin, method: str, request_: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    plugin.widget.failure = RuntimeError(f"no such thing as {PASSWORD}")

    error = await plugin.failure(method, request_)

    assert error.code() is grpc.StatusCode.INTERNAL
    details = str(error.details())
    assert details.startswith("unexpected RuntimeError: no such thing as [secret] (a defect")
    assert "Traceback" not in details
    assert "Traceback" not in capfd.readouterr().err  # the engine shows stderr to the user
    line = plugin.log.lines[-1]
    assert line.severity == engine_pb2.DEBUG
    assert "in _fail" in line.message
    assert PASSWORD not in line.message


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("Create", create(name="w", password=PASSWORD)),
        ("Update", update(STATE, {"name": "w"}, {"name": "w", "password": PASSWORD})),
    ],
)
async def test_a_partial_failure_carries_the_state_for_the_engine_to_record(
    plugin: Plugin, method: str, request_: Any
) -> None:
    plugin.widget.failure = PartialFailure(
        "w", {"address": "w:1", "serial": 7}, ["it does not answer", f"it dislikes {PASSWORD}"]
    )

    error = await plugin.failure(method, request_)

    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details() == "it does not answer; it dislikes [secret]"
    metadata = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    assert (status.code, status.message) == (2, error.details())
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert detail.id == "w"
    assert list(detail.reasons) == ["it does not answer", "it dislikes [secret]"]
    assert detail.properties["address"] == "w:1"
    assert detail.properties["name"] == "w"
    assert detail.properties["password"] == properties(password=PASSWORD)["password"]


async def test_there_are_no_functions(plugin: Plugin) -> None:
    error = await plugin.failure("Invoke", provider_pb2.InvokeRequest(tok="tidegate:index:f"))

    assert error.code() is grpc.StatusCode.NOT_FOUND


# -- progress and cancellation ----------------------------------------------------------------


async def test_progress_reaches_the_engine_under_the_resources_name(plugin: Plugin) -> None:
    plugin.widget.failure = ProviderError("closed")  # an error comes after what was said before

    await plugin.failure("Create", create(name="w"))

    assert [(line.message, line.severity, line.ephemeral) for line in plugin.log.lines] == [
        ("working", engine_pb2.INFO, True),
        ("made of steel", engine_pb2.INFO, False),
        ("it is heavy", engine_pb2.WARNING, False),
    ]
    assert {line.urn for line in plugin.log.lines} == {URN}


async def test_cancel_wakes_an_operation_that_sleeps(plugin: Plugin) -> None:
    plugin.widget.works_seconds = 60
    running = asyncio.ensure_future(plugin.failure("Create", create(name="w")))
    async with asyncio.timeout(10):
        await plugin.log.first.wait()
        await plugin.stub.Cancel(empty_pb2.Empty())
        error = await running

    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert str(error.details()).startswith("cancelled;")
    assert not plugin.widget.widgets
