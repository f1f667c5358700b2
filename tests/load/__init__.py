"""Load as the last week of May brings it: schools arrive when they like, whether or not the appliance has answered the ones before.

    arrivals    when who comes with what: a plan, made before the run, the same for the same seed
    generator   a process that sends it, each arrival at its moment (open model), and notes what became of it
    watch       CPU and memory of every process of the appliance meanwhile
    figures     what users felt: percentiles from the planned moment on, so that a queue before the door counts as well
    report      docs/load.md and docs/load.png

`make load` takes four minutes; `make load LOAD=--short` half a minute, as CI does it.
"""
