"""The main job on a fresh machine, one command: convert the example notebook, run it, register its model, deploy it, call it.

    python3 scripts/try_it.py

Every stage is the product's own command line, printed with its time. What it makes lies in ``.try/`` of the checkout.
"""

from __future__ import annotations

import json
import os
import subprocess
import time

from environment import BIN, ROOT, prepare

HOME = ROOT / ".try"
NOTEBOOK = "examples/churn.ipynb"


def mlops(*words: str) -> dict:
    """Call the command line with ``--json`` and give back what it says; its progress goes to the terminal."""
    env = {**os.environ, "JUPYTER_MLOPS_HOME": str(HOME), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [BIN / "jupyter-mlops", *words, "--json"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        print(done.stdout)
        raise SystemExit(f"jupyter mlops {' '.join(words)} failed with {done.returncode}")
    return json.loads(done.stdout)


def told(title: str, started: float, text: str) -> None:
    """One line a stage: name, seconds, what came of it."""
    print(f"  {title:<9} {time.monotonic() - started:6.2f} s   {text}", flush=True)


def main() -> None:
    """Prepare, then the five stages."""
    prepare()
    print(f"\nThe main job, on {NOTEBOOK}")
    t = time.monotonic()
    plan = mlops("convert", NOTEBOOK)
    told("convert", t, " → ".join(step["name"] for step in plan["steps"]))
    t = time.monotonic()
    run = mlops("run", NOTEBOOK)
    told("run", t, f"{run['run']} {run['phase']}; executed notebook: {os.path.relpath(run['notebook'], ROOT)}")
    t = time.monotonic()
    model = mlops("models")["models"][0]
    version = model["versions"][0]
    told("register", t, f"{model['name']}:{version['tag']} {json.dumps(version['metrics'])} {version['digest'][:19]}…")
    t = time.monotonic()
    service = mlops("deploy", f"{model['name']}:{version['tag']}")
    told("deploy", t, f"{service['service']} at {service['url']}")
    t = time.monotonic()
    answer = mlops("predict", service["service"])
    told("predict", t, f"{answer['predictions']} in {answer['milliseconds']:.1f} ms")
    mlops("services", "delete", service["service"])
    jupyter = os.path.relpath(BIN / "jupyter")
    print(f"\nOpen it in JupyterLab:\n  {jupyter} lab {NOTEBOOK}\nthen press Convert in the notebook's toolbar.")


if __name__ == "__main__":
    main()
