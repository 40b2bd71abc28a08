"""The gateware: Amaranth components of the core, and of the link around it."""
