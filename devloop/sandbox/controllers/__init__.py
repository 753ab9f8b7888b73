"""What moves the objects of the sandbox from what their specs ask for to what there is."""
