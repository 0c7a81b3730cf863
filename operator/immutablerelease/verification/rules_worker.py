"""The process that evaluates CEL rules: one question on stdin, one answer on stdout, then it ends.

It is started anew for every question and bounds itself before it reads anything, so that no
expression and no predicate can keep or crash the operator. It imports nothing of ours and is given
no environment. `rules` starts it and describes the limits.
"""

import json
import resource
import sys
from datetime import datetime
from typing import Any

from cel_expr_python import cel


def main() -> None:
    """Answer the question; the arguments are the limits: seconds of CPU, bytes of memory."""
    seconds, memory = (int(argument) for argument in sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    question = json.load(sys.stdin)
    json.dump([_answer(expression, question) for expression in question["expressions"]], sys.stdout)


def _answer(expression: str, question: dict[str, Any]) -> dict[str, Any]:
    """`invalid` for what is no rule whatever it is asked about, else `failed` or `value`."""
    environment = cel.NewEnv(variables={"predicate": cel.Type.DYN, "now": cel.Type.TIMESTAMP})
    try:
        compiled = environment.compile(expression)
    except Exception as error:  # noqa: BLE001 - whatever it raises is told, and nothing holds
        return {"invalid": str(error)}
    if compiled.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        return {"invalid": f"it is of type {compiled.return_type().name()}, expected bool"}
    now = datetime.fromisoformat(question["now"])
    try:
        result = compiled.eval(data={"predicate": question["predicate"], "now": now})
        if result.type() == cel.Type.BOOL:
            return {"value": result.value() is True}
        # An error is a value here, as is a result of a type that only the predicate decides.
        return {"failed": f"{result.value()}"[:1000]}
    except Exception as error:  # noqa: BLE001 - as above
        return {"failed": str(error)}


if __name__ == "__main__":
    main()
