"""The kind ``hbm_pim``: memory whose units compute beside the banks, driven by command programs."""

from pimsim.kinds.hbm_pim.site import HbmPim

__all__ = ["HbmPim"]
