"""What a run over pictures and one over scenes have in common: plan, shards, records, watchers."""
