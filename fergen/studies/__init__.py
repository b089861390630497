"""Studies: experiments made of several runs, each stage resumable, that end in a report."""
