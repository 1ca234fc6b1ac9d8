"""What every view shares: parameters in, responses, errors and documents out."""
