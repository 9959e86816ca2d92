"""One module a kind of source: ask it, judge what it says, store what is new."""
