namespace ChatBackend.Features.Ingest;

/// <summary>Gives a fresh machine something to ask: in development, the sample book goes into the index at start.</summary>
internal static class IngestSampleBook
{
    /// <summary>
    /// Ingests <c>sample-book/</c> beside the service; nothing outside development or where there is none. Later starts
    /// find it unchanged and cost a hash a page. What fails is logged and stops nothing.
    /// </summary>
    public static async Task RunAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var environment = services.GetRequiredService<IHostEnvironment>();
        var folder = Path.Combine(environment.ContentRootPath, "sample-book");
        if (!environment.IsDevelopment() || !Directory.Exists(folder))
            return;

        var summary = await services.GetRequiredService<BookIngest>().IngestAsync(folder, prune: false, progress: null, cancellationToken);
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(IngestSampleBook).FullName!);

        if (summary.Passages > 0)
            logger.LogInformation("Ingested the sample book: {Documents} documents, {Passages} passages", summary.Documents, summary.Passages);

        foreach (var document in summary.Failed)
            logger.LogWarning("Could not ingest {Path}: {Reason}", document.Path, document.Reason);
    }
}
