"""How test runners of several languages are made to say what became of each test, and how what they say is read."""
