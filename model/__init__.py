"""The core: bytes in, a Diagnosis out. No web framework, network, clock or environment."""
