"""No module imports another that, by whatever way, imports it: in none of the four packages, without exceptions."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


def test_modules_import_in_no_circle() -> None:
    graph = grimp.build_graph("storage", "hub", "bridge", "device_sim")
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 100
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))
