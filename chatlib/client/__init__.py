"""The familiar face: clients, their loops and their streams. All rules are elsewhere."""
