"""What makes a revision unchangeable: its workload, its frozen configuration, drift."""
