from pimsim_core.network import Network
from pimsim_core.service import Service

class Ports(Service):
    def __init__(self, network: Network | None, period: int) -> None: ...
