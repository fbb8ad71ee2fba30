using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Conventions;

/// <summary>Every class with options is bound and validated when the service starts.</summary>
public sealed class OptionsTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Fact]
    public void All_options_are_validated_at_start()
    {
        var named = typeof(Program).Assembly.GetTypes()
            .Where(t => !t.IsNested && (t.Name.EndsWith("Options", StringComparison.Ordinal) || t.Name.EndsWith("Limits", StringComparison.Ordinal)) && t.GetConstructor([]) is not null)
            .ToArray();
        // A part of other options is bound with them.
        var options = named.Where(t => !named.Any(other => other.GetProperties().Any(p => p.PropertyType == t))).ToArray();

        Assert.Contains(options, t => t.Name == "AiOptions");
        Assert.Contains(options, t => t.Name == "ModelLimits");
        Assert.DoesNotContain(options, t => app.Services.GetService(typeof(IValidateOptions<>).MakeGenericType(t)) is null);
    }
}
