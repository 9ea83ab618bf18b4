"""Video files in, exactly the wanted frames out: decoding, sampling, quarantine, cache."""
