"""The driver: payer, payee and clock in one, in as many processes as are asked for."""
