"""Packages: what chains, topics and queries hold, compiled into one piece of CTX that is kept, composed and handed on
(seed 001, 6.4 and 7).

`declaration` is what a file in `packages/` says, `reading` and `folder` read them. `sources` finds what they name at a
view, `facts` is what that is made of, `compile` makes the package, `compose` takes several into one context. `stored`
keeps versions, `stale` says what one lacks, `portable` writes one into a file and `imports` takes it in; `shelf` puts
all of these together. `receipts` and `proposals` learn from what was served, `table` shows it in LanceDB.
"""
