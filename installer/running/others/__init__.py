"""Who else is on the machines of a run: held, met, waited for, told."""
