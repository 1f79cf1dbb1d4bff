"""Devices, their memory, precision, threads and allocator."""
