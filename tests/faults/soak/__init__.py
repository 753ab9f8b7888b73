"""The soak: one session over three services, saves and faults at random, and nothing may be lost or falsely claimed."""
