"""The fleet: its devices, the bus they speak on and the executor that polls them."""
