"""A small print shop that shows durable tasks at work: `python -m outlive.demo`."""
