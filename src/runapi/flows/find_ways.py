"""Find the ways to have a request answered: which upstreams can be asked, in which dialect each."""

from collections.abc import Sequence
from typing import assert_never

from runapi.core import bridge_problems
from runapi.core.bridge import Obstacle
from runapi.core.catalog import Model
from runapi.core.dialects import ENDPOINTS
from runapi.core.problems import Problem
from runapi.core.routing import Deployment
from runapi.flows.exchange import Step
from runapi.wire.endpoints.asking import Asking


def find_ways(asking: Asking, model: Model, deployments: Sequence[Deployment]) -> list[Step]:
    """Give the upstreams that can be asked, best first; none only where there are no deployments.

    Where the catalogue knows of no way, for it speaks of OpenAI, the operator's word counts that an upstream serves the
    model; but not to get around what the way that it knows of cannot say, and not for a model that makes vectors.

    Raises:
        Problem: 400 or 404, none of them can be asked this.
    """
    route: list[Step] = []
    problem: Problem | None = None
    for is_lenient in (False, True) if _is_talked_with(model) else (False,):
        for deployment in deployments:
            try:
                way = asking.way(deployment.upstream.dialects, is_lenient=is_lenient)
            except Problem as unsayable:
                problem = problem or unsayable
                continue
            if not isinstance(way, Obstacle):
                route.append(Step(deployment, way))
            elif is_lenient:
                problem = problem or _problem_of(way, model, asking.endpoint)
        if route or problem is not None or not deployments:
            break
    if route or not deployments:
        return route
    raise problem or bridge_problems.wrong_endpoint(model.id, asking.endpoint)


def _is_talked_with(model: Model) -> bool:
    """Whether it is a model that answers what it is told, in whatever dialect."""
    return any(endpoint in model.endpoints for endpoint in ENDPOINTS.values())


def _problem_of(obstacle: Obstacle, model: Model, endpoint: str) -> Problem:
    match obstacle:
        case Obstacle.NOT_SERVED | Obstacle.REASONING_TOOLS:
            return bridge_problems.wrong_endpoint(model.id, endpoint)
        case Obstacle.UNSPOKEN_TOOLS:
            return bridge_problems.tools_not_spoken(model.id)
        case _:
            assert_never(obstacle)
