"""Running a handler's work so that all the engine sees of it are sentences without secrets."""

import json
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import grpc
from pulumi.runtime.proto import engine_pb2
from pydantic import ValidationError

from tidegate.provider.engine_log import EngineLog
from tidegate.provider.errors import PartialFailure, ProviderError
from tidegate.provider.messages import ServicerContext, abort_with_partial_state, state_of
from tidegate.provider.values import Properties, redact
from tidegate.spec.errors import SpecError

ResponseT = TypeVar("ResponseT")
NO_PROPERTIES = Properties({})


class Guard:
    """What stands between the handlers and the engine."""

    def __init__(self, log: EngineLog) -> None:
        self._log = log

    async def say(self, notes: Sequence[str], urn: str, *secrets: Properties) -> None:
        for note in notes:
            self._log.say(engine_pb2.INFO, redact(note, *secrets), urn)
        await self._log.flush()

    async def run(
        self,
        context: ServicerContext,
        work: Callable[[], Awaitable[ResponseT]],
        properties: Properties,
        olds: Properties = NO_PROPERTIES,
    ) -> ResponseT:
        """Run a handler; turn its errors into statuses that the engine shows as sentences.

        No secret of `properties` or `olds` stays in them.
        """

        def plain(text: str) -> str:
            return redact(text, properties, olds)

        try:
            return await self._said_first(work)
        except PartialFailure as failure:
            state = state_of(properties, failure.outputs)
            reasons = [plain(each) for each in failure.reasons]
            await abort_with_partial_state(context, failure.resource_id, state, reasons)
        except (ProviderError, SpecError) as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, plain(str(error)))
        except ValidationError as error:
            # Never with the values: one of them may be a secret.
            text = json.dumps(error.errors(include_input=False, include_url=False), default=str)
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, plain(f"state not understood: {text}")
            )
        except Exception as error:  # the last line of defence of a server: report and go on
            # Not to stderr: the engine shows whatever a plugin writes there.
            self._log.say(engine_pb2.DEBUG, plain(traceback.format_exc()))
            await self._log.flush()
            await context.abort(
                grpc.StatusCode.INTERNAL,
                plain(f"unexpected {type(error).__name__}: {error}")
                + " (a defect in the tidegate provider; `pulumi up --debug` shows where)",
            )
        raise AssertionError("abort does not return")

    async def _said_first(self, work: Callable[[], Awaitable[ResponseT]]) -> ResponseT:
        """Run the work; its result or error comes after everything it has said."""
        try:
            return await work()
        finally:
            await self._log.flush()
