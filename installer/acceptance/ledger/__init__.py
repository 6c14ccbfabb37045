"""What the ledger holds, beside what payer and payee were told."""
