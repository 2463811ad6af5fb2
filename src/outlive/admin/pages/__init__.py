"""The screens: one module for each, every state with its own address."""
