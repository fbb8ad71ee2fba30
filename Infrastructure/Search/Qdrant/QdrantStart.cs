namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>Logs at start what is wrong with the settings of Qdrant. The service runs without the index, too.</summary>
internal sealed class QdrantStart(QdrantSchema schema, ILogger<QdrantStart> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            log.LogInformation("Qdrant: {State}", await schema.DescribeAsync(stoppingToken));
        }
        catch (SearchException e)
        {
            log.LogError("Qdrant cannot be used: {Reason}", e.Message);
        }
    }
}
