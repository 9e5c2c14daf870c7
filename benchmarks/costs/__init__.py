"""What work costs before it is begun: rows through the UNet, time, room on the disk."""
