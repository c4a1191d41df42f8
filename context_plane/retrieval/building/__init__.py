"""Building: shards out of timelines, and the table of embeddings they take vectors from."""
