using ChatBackend.Infrastructure.Database;
using Npgsql;

namespace ChatBackend.Infrastructure.Http.Problems;

internal static class ExceptionMapping
{
    public static Failure ToFailure(Exception exception) => exception switch
    {
        FailureException { IsUnavailable: true } e => Failure.Unavailable(e.Code, e.Message, e.RetryAfter),
        FailureException { IsMisconfigured: true } e => new(StatusCodes.Status503ServiceUnavailable, e.Code, e.Message),
        FailureException e => new(StatusCodes.Status500InternalServerError, e.Code, e.Message),
        _ when exception.IsDatabaseUnavailable() => Failure.Unavailable("database_unavailable", "The database is not available at the moment. Try again shortly."),
        PostgresException => new(StatusCodes.Status500InternalServerError, "database_error", "The database refused the operation."),
        _ => new(StatusCodes.Status500InternalServerError, "internal_error", "Something went wrong on our side. The trace_id finds it in the logs."),
    };
}
