"""What is written of a site's runs, and how it is judged: events, locks, marks on machines."""
