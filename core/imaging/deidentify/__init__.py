"""What a hospital's file loses on its way in, and the pseudonyms that it gets instead."""
