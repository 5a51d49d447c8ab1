from pimsim_core.gates import Gates
from pimsim_core.records import CAUSES as CAUSES
from pimsim_core.records import record_dtype as record_dtype

class Kernel(Gates): ...
