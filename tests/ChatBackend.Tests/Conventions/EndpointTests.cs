using System.Reflection;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Tests.Infrastructure.Http.OpenApi;
using FluentValidation;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Conventions;

/// <summary>What every endpoint says of itself.</summary>
public sealed class EndpointTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    /// <summary>The API's own endpoints, without pages for people and the description itself.</summary>
    private RouteEndpoint[] Endpoints =>
    [
        .. app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().Where(e =>
            e.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>()?.ExcludeFromDescription is not true
            && e.RoutePattern.RawText!.Contains("/openapi/", StringComparison.Ordinal) is false),
    ];

    [Fact]
    public async Task Every_endpoint_has_a_name_and_a_summary()
    {
        var document = await (await app.Client.GetAsync("/openapi/v1.json")).JsonAsync();
        var summaries = OpenApiWalk.Operations(document).ToDictionary(
            o => o.Operation.GetProperty("operationId").GetString()!, o => o.Operation.TryGetProperty("summary", out var summary) ? summary.GetString() : null);
        var names = Endpoints.Select(e => (e.RoutePattern.RawText, Name: e.Metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName)).ToArray();

        Assert.Contains(names, n => n.Name == "PostChat");
        Assert.DoesNotContain(names, n => n.Name is null);
        Assert.DoesNotContain(names, n => string.IsNullOrWhiteSpace(summaries[n.Name!]));
    }

    [Fact]
    public void Every_endpoint_validates_its_body_and_its_group_of_parameters()
    {
        var requests = (
            from endpoint in Endpoints
            let body = endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType
            from type in (Type[])
            [
                .. body is null ? Type.EmptyTypes : [body],
                .. endpoint.Metadata.GetMetadata<MethodInfo>()!.GetParameters().Where(p => p.IsDefined(typeof(AsParametersAttribute))).Select(p => p.ParameterType),
            ]
            select (Endpoint: endpoint, Type: type)).ToArray();

        Assert.Contains(requests, r => r.Type.Name == "ChatRequest");
        Assert.Contains(requests, r => r.Type.Name == "ListAuditsRequest");
        Assert.DoesNotContain(requests, r => app.Services.GetService(typeof(IValidator<>).MakeGenericType(r.Type)) is null);
        // The example of an invalid field that both .Validate<T>() and .AcceptsMergePatch<T>() add.
        Assert.DoesNotContain(requests, r => !r.Endpoint.Metadata.OfType<AnswerProblem>().Any(p => p.Detail?.EndsWith(" must not be empty.", StringComparison.Ordinal) is true));
    }

    [Fact]
    public void Every_endpoint_names_the_codes_of_its_problems()
    {
        var endpoints = Endpoints.Where(e => !e.RoutePattern.RawText!.StartsWith("/health", StringComparison.Ordinal)).ToArray();

        Assert.Contains(endpoints, e => e.RoutePattern.RawText!.StartsWith("/audits/{id}", StringComparison.Ordinal));
        Assert.All(endpoints, e =>
        {
            var problems = Problems(e);
            Assert.Contains((500, "internal_error"), problems);
            Assert.Contains((503, "database_unavailable"), problems);
            Assert.True(!e.RoutePattern.Parameters.Any() || problems.Any(p => p.Status == 404), $"{e.DisplayName} has no 404");
            Assert.True(e.Metadata.GetMetadata<IAuthorizeData>() is null || problems.Any(p => p.Status == 401), $"{e.DisplayName} has no 401");
            Assert.All(problems, p => Assert.Matches(new Regex("^[a-z]+(_[a-z]+)*$", RegexOptions.None, TimeSpan.FromSeconds(60)), p.Code));
            // A status that is declared without a code would leave a program nothing to tell cases apart by.
            Assert.Empty(e.Metadata.OfType<IProducesResponseTypeMetadata>().Select(p => p.StatusCode).Where(s => s >= 400).Except(problems.Select(p => p.Status)));
        });
    }

    private static (int Status, string Code)[] Problems(Endpoint endpoint) => [.. endpoint.Metadata.OfType<AnswerProblem>().Select(p => (p.StatusCode, p.Code))];
}
