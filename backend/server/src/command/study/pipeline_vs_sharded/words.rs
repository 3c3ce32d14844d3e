//! What explains the tables: why rows, columns and the paper's numbers differ.

/// Why the tables differ.
pub(super) const DIFFERENCES: &[(&str, &str)] = &[
    (
        "Time",
        "A processor in one table here and one GPU in the other; GPUs in the paper, whose number, batch size and micro-batches are not \
         known here. Every row learns from the same rows in the same order with the same first weights, global batch and threads; two ranks share the machine's cores. \
         torchgpipe has one worker thread a device, so that its stages on one processor, or on one GPU, take turns: it shows what the schedule \
         costs, not what it gains.",
    ),
    (
        "Network",
        "The usual one has 150 layers of growth 8, as many as the paper's, and so little to compute in each of them that what a framework takes for \
         a call, whatever the call computes, is a good part of its time. `--network larger` has 60 layers of growth 64 for the same rows in the same \
         batches: ten times the parameters, and 25 times as many in a layer, so that what a call takes counts much less. What of a row's distance to \
         one device is gone there is the cost of calls, and not of the strategy. The growth of the paper's network is not known here.",
    ),
    (
        "Pipelines",
        "All have two stages and four micro-batches, and recompute nothing, or a whole stage for each micro-batch. Order and borders are each library's own: \
         torchgpipe has GPipe and makes stages equal in modules; DeepSpeed has 1F1B, and makes them equal in parameters, as ours are. A stage of DeepSpeed \
         sends and receives one message after the other and computes nothing meanwhile; its time holds the making of its groups of ranks, \
         and of all layers once on each rank, by which it counts their parameters.",
    ),
    (
        "torchgpipe beside PyTorch",
        "That it is slower than PyTorch on one device is explained by reading its code, and was not profiled. Each layer is four \
         operations, small ones in the usual network, which each micro-batch passes by itself: four times as many calls as for the whole batch, each \
         with a fourth of the rows, so that what a call costs whatever its rows counts four times. Nothing makes up for it, as both stages are the one worker thread's, which each forward pass starts anew.",
    ),
    (
        "Ranks",
        "Ours are threads of one process: a message is a copy within its memory, and program and data are held once. DeepSpeed's are processes, each \
         with Python, PyTorch and the data, and a message goes through gloo, by a socket of the machine's own. So the rows of both differ in the \
         framework and in what ranks are; nothing is said here of ranks on several machines, for which DeepSpeed is made. The rows over MPI have \
         our ranks as processes, too, one as a pipeline and one with ZeRO, each below the same on threads: what they take more is \
         what threads spare. Each of their processes tells of its own threads, so that they are said to differ in them; together they have as many.",
    ),
    (
        "ZeRO 3",
        "Ours divides every layer. DeepSpeed leaves a tensor of up to 100,000 numbers whole on every rank unless it is told otherwise \
         (`stage3_param_persistence_threshold`), and each of the usual network is smaller: in the row with its default threshold no layer's parameters are \
         divided, gradients and optimizer state are. Of the larger one (`--network larger`) 35 of the 60 layers have more, and are divided in either row. In \
         the row where every layer is divided the threshold is 0. Even so, DeepSpeed keeps a layer that the \
         forward pass has gathered until its backward pass (`stage3_max_reuse_distance`, its default), which saves it the second gathering; ours lets \
         it go in between.",
    ),
    (
        "Rows on a GPU",
        "DeepSpeed has none: NCCL, by which its ranks talk on GPUs, refuses two ranks on one GPU, and one rank has nobody to divide anything with. \
         It needs as many GPUs as ranks. Ours and torchgpipe's share one GPU, and take turns on it: those rows show what dividing costs there. \
         TensorFlow and PyVelox have no row in this study: both train on one device.",
    ),
    (
        "Samples a second",
        "Rows to learn from, times the epochs taken, divided by the median seconds of training: the unit in which torchgpipe and DeepSpeed \
         report of themselves. As the time, it holds every step with its optimizer, and no start, reading or evaluation.",
    ),
    (
        "Errors",
        "The network says how likely a rating is to be 4 or more; RMSE and MAE are its errors against 1 and 0, accuracy is the share of \
         ratings that it puts on the right side of one half. The paper's .773 cannot be the accuracy of the same numbers as its RMSE of .177: \
         with 22.7 % on the wrong side of one half, each by at least .5, the RMSE is at least .238. Its MAE of .031 is the square of \
         .177, so the mean squared error.",
    ),
    (
        "Memory",
        "Three measures, each in a column of its own, for none is another. `ledger of a rank` is that of our executors, of the rank that held most: the \
         most that parameters, gradients, optimizer state, kept activations and what comes and goes took at one moment, and with it the most \
         optimizer state that was offloaded; the other engines keep none. `process of a rank` is where a rank is a process of its own: the most that \
         one of DeepSpeed's has held (`ru_maxrss`, with Python and PyTorch), and over MPI our first rank's. `all processes` is what the system counts, with \
         data and program: one process with all ranks of ours or all stages of torchgpipe; of DeepSpeed's, looked at at least twenty times a second, the most that all of them \
         held together, with what they share counted once, and never less than the most that the first one held; over MPI nobody adds them up. \
         The paper's gigabytes are of GPUs whose allocator keeps what it once had.",
    ),
    (
        "Data",
        "Synthetic ratings in the image of Amazon Beauty. `--full` takes 2,023,070 of them; \
         `--set dataset.source=file --set dataset.path=ratings_Beauty.csv --set dataset.format=amazon-csv` takes the real ones.",
    ),
];
