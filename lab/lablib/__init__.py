"""Disposable virtual machines: images, QEMU, instances."""
