"""Stand-alone cocotb benches; they are copied beside the design that they test."""
