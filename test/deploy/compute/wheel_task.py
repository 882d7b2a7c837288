"""A Python wheel task, as compute runs it: argv is the wheel, the package, the entry point, and the parameters."""

import sys
from importlib.metadata import distributions

wheel, package, entry_point, *parameters = sys.argv[1:]
sys.path.insert(0, wheel)
(distribution,) = distributions(name=package, path=[wheel])
(entry,) = distribution.entry_points.select(group="console_scripts", name=entry_point)
main = entry.load()
# The packages are those of the project's environment, which holds the project too: it is not what may run.
assert sys.modules[entry.module].__file__.startswith(wheel), sys.modules[entry.module].__file__
sys.argv = [entry_point, *parameters]
sys.exit(main())
