"""Worker processes for what strangers send: jobs within limits of CPU time, memory and result, killed beyond them."""
