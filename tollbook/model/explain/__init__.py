"""Why a row is what it is: its legs, and a sentence for each column."""
