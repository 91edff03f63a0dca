"""temporary"""
import sys, csv
from r2d2.api import find
def main() -> None:
    import time
    t=time.time()
    g=find(sys.argv[1], **({'types':sys.argv[3]} if len(sys.argv)>3 else {}))
    with open(sys.argv[2],'w') as f:
        w=csv.writer(f); w.writerow(['child','parent'])
        w.writerows((e.child,e.parent) for e in g.edges)
    for r in g.funnel: print(r.stage,r.pairs,r.refuted,r.proved,r.left,round(r.seconds,3),r.bytes_read,r.rows_read)
    for x in g.tables:
        if x.problem: print(x.location,x.problem)
    print(time.time()-t)
main()
